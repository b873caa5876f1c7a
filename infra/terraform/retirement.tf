# The runs that never reach their completion state. Express executions send no such events.
locals {
  watched = concat([for machine in aws_sfn_state_machine.example : machine.arn], var.state_machine_arns)
  watches = var.example_state_machines || length(var.state_machine_arns) > 0 ? 1 : 0
}

resource "aws_cloudwatch_event_rule" "execution_ends" {
  count       = local.watches
  name        = "${var.name}-execution-ends"
  description = "Executions that end or are redriven are retired by retire_run"
  event_pattern = jsonencode({
    source        = ["aws.states"]
    "detail-type" = ["Step Functions Execution Status Change"]
    detail = {
      "$or" = [
        { status = ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"] },
        { status = ["RUNNING"], redriveCount = [{ numeric = [">", 0] }] },
      ]
      name            = [{ "anything-but" = { prefix = "runstore-child-" } }] # children are part of their root's run
      stateMachineArn = local.watched
    }
  })
}

resource "aws_cloudwatch_event_target" "retire_run" {
  count     = local.watches
  rule      = aws_cloudwatch_event_rule.execution_ends[0].name
  target_id = "retire-run"
  arn       = aws_lambda_function.function["retire-run"].arn

  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters.arn
  }
}

# Any rule of this account: further ones can watch more state machines (docs/operations.md).
resource "aws_lambda_permission" "execution_ends" {
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.function["retire-run"].function_name
  principal     = "events.amazonaws.com"
  source_arn    = "${local.prefix}:events:${local.here}:rule/*"
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
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.dead_letters.arn
      Condition = { ArnLike = { "aws:SourceArn" = "${local.prefix}:events:${local.here}:rule/*" } }
    }]
  })
}
