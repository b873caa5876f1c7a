# Examples: the calls that a workflow of yours would make. The definitions are those of the SAM template.
locals {
  prefix = "arn:${data.aws_partition.current.partition}"
  here   = "${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}"

  placeholders = {
    SetValueArn         = local.arns["set-value"]
    GetValueArn         = local.arns["get-value"]
    ApplyOperationsArn  = local.arns["apply-operations"]
    IncrementCounterArn = local.arns["increment-counter"]
    CompleteRunArn      = local.arns["complete-run"]
  }

  calls = {
    order-fanout    = ["set-value", "get-value", "apply-operations", "complete-run"]
    counter-jsonata = ["increment-counter", "get-value", "complete-run"]
  }

  # The definitions come with a released module. In a checkout they lie where SAM and the package have them.
  definitions = {
    for name, place in {
      order-fanout    = "../statemachines/order_fanout.asl.json"
      counter-jsonata = "../statemachines/counter_jsonata.asl.json"
      workflow        = "../../functions/runstore/workflow/workflow.asl.json"
      } : name => (
      fileexists("${path.module}/statemachines/${basename(place)}")
      ? "${path.module}/statemachines/${basename(place)}" : "${path.module}/${place}"
    )
  }

  machines = merge(
    {
      for name, called in local.calls : name => {
        policy     = "invoke-functions"
        definition = templatefile(local.definitions[name], local.placeholders)
        statements = [
          { Effect = "Allow", Action = "lambda:InvokeFunction", Resource = [for each in called : local.arns[each]] },
        ]
      } if var.example_state_machines
    },
    {
      for name in keys(local.workflows) : name => {
        policy     = "run-workflow"
        definition = templatefile(local.definitions["workflow"], { WorkflowFunctionArn = local.arns[name] })
        statements = [
          { Effect = "Allow", Action = "lambda:InvokeFunction", Resource = [local.arns[name]] },
          {
            Effect   = "Allow"
            Action   = ["states:StartExecution"]
            Resource = ["${local.prefix}:states:${local.here}:stateMachine:${var.name}-${name}"]
          },
          {
            Effect   = "Allow"
            Action   = ["states:DescribeExecution", "states:StopExecution"]
            Resource = ["${local.prefix}:states:${local.here}:execution:${var.name}-${name}:*"]
          },
          {
            Effect   = "Allow" # Step Functions learns of the end of a child through this managed rule
            Action   = ["events:PutTargets", "events:PutRule", "events:DescribeRule"]
            Resource = ["${local.prefix}:events:${local.here}:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"]
          },
        ]
      } if var.example_state_machines
    },
  )

  logs_executions = var.example_state_machines && var.state_machine_log_level != "OFF"

  observation_statements = concat(
    !local.logs_executions ? [] : [{
      Effect = "Allow"
      Action = [
        "logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery",
        "logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups",
      ]
      Resource = "*" # log delivery has no resource type in IAM
    }],
    var.tracing != "Active" ? [] : [{
      Effect = "Allow"
      Action = [
        "xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets",
      ]
      Resource = "*" # X-Ray has no resource type in IAM
    }],
  )
}

resource "aws_cloudwatch_log_group" "state_machines" {
  count             = local.logs_executions ? 1 : 0
  name              = "/aws/vendedlogs/states/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
  tags              = var.tags
}

resource "aws_iam_role" "state_machine" {
  for_each             = local.machines
  name                 = "${var.name}-${each.key}-states-${data.aws_region.current.id}"
  assume_role_policy   = local.trusted["states"]
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

resource "aws_iam_role_policy" "state_machine" {
  for_each = local.machines
  name     = each.value.policy
  role     = aws_iam_role.state_machine[each.key].id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(each.value.statements, local.observation_statements)
  })
}

resource "aws_sfn_state_machine" "example" {
  for_each   = local.machines
  name       = "${var.name}-${each.key}"
  type       = "STANDARD"
  role_arn   = aws_iam_role.state_machine[each.key].arn
  definition = each.value.definition
  tags       = var.tags

  dynamic "tracing_configuration" {
    for_each = var.tracing == "Active" ? [1] : []
    content {
      enabled = true
    }
  }

  dynamic "logging_configuration" {
    for_each = aws_cloudwatch_log_group.state_machines
    content {
      level                  = var.state_machine_log_level
      include_execution_data = false
      log_destination        = "${logging_configuration.value.arn}:*"
    }
  }

  depends_on = [aws_iam_role_policy.state_machine] # Step Functions checks at creation that it may log
}
