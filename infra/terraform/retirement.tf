# The runs that never reach their completion state. Express executions send no such events.
locals {
  watched = concat([for machine in aws_sfn_state_machine.example : machine.arn], var.state_machine_arns)
  watches = var.example_state_machines || length(var.state_machine_arns) > 0 ? 1 : 0
}

resource "aws_cloudwatch_event_rule" "execution_ends" {
  count       = local.watches
  name        = "${var.name}-execution-ends"
  description = "Executions that end or are redriven are retired by retire_run"
  tags        = var.tags
  event_pattern = jsonencode({
    source        = ["aws.states"]
    "detail-type" = ["Step Functions Execution Status Change"]
    detail = {
      "$or" = [
        { status = ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"] },
        { status = ["RUNNING"], redriveCount = [{ numeric = [">", 0] }] },
      ]
      stateMachineArn = local.watched
    }
  })
}

resource "aws_cloudwatch_event_target" "retire_run" {
  count     = local.watches
  rule      = aws_cloudwatch_event_rule.execution_ends[0].name
  target_id = "retire-run"
  arn       = aws_lambda_function.function["retire-run"].arn

  # What retire_run needs: inputs and outputs of executions never reach it, its logs or its queue.
  input_transformer {
    input_paths = {
      source   = "$.source"
      type     = "$.detail-type"
      account  = "$.account"
      region   = "$.region"
      time     = "$.time"
      arn      = "$.detail.executionArn"
      status   = "$.detail.status"
      redrives = "$.detail.redriveCount"
      redriven = "$.detail.redriveDate"
      stopped  = "$.detail.stopDate"
    }
    # In quotes, because a field that an event lacks becomes empty.
    input_template = join(" ", [
      "{\"source\": \"<source>\", \"detail-type\": \"<type>\", \"account\": \"<account>\", \"region\": \"<region>\", \"time\": \"<time>\",",
      "\"detail\": {\"executionArn\": \"<arn>\", \"status\": \"<status>\", \"redriveCount\": \"<redrives>\", \"redriveDate\": \"<redriven>\",",
      "\"stopDate\": \"<stopped>\"}}",
    ])
  }

  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters.arn
  }
}

locals {
  # The rules that may invoke retire_run: the module's own, and those whose names begin so (docs/operations.md).
  rules = merge(
    local.watches == 0 ? {} : { execution_ends = aws_cloudwatch_event_rule.execution_ends[0].arn },
    var.retirement_rule_prefix == null ? {} : {
      further_rules = "${local.prefix}:events:${local.here}:rule/${var.retirement_rule_prefix}*"
    },
  )
}

resource "aws_lambda_permission" "retire_run" {
  for_each      = local.rules
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.function["retire-run"].function_name
  principal     = "events.amazonaws.com"
  source_arn    = each.value
}

resource "aws_lambda_function_event_invoke_config" "retire_run" {
  function_name                = aws_lambda_function.function["retire-run"].function_name
  qualifier                    = "$LATEST"
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = 21600

  destination_config {
    on_failure {
      destination = aws_sqs_queue.dead_letters.arn
    }
  }
}

# Events that could not be delivered to retire_run, and those that it failed on three times.
resource "aws_sqs_queue" "dead_letters" {
  name                      = "${var.name}-retire-run-dead-letters"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = var.queue_kms_key_arn == null ? true : null
  kms_master_key_id         = var.queue_kms_key_arn
  tags                      = var.tags
}

resource "aws_sqs_queue_policy" "dead_letters" {
  count     = length(local.rules) > 0 ? 1 : 0
  queue_url = aws_sqs_queue.dead_letters.url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.dead_letters.arn
      Condition = { ArnLike = { "aws:SourceArn" = values(local.rules) } }
    }]
  })
}
