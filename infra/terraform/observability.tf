# What each alarm means and what to do: docs/operations.md.
locals {
  function_names = { for name, function in aws_lambda_function.function : replace(name, "-", "_") => function.function_name
  if !contains(keys(local.workflows), name) }

  # The functions count these with the dimension service alone, so that one metric stands for all of them.
  service = { service = var.service_name }

  lambda_metrics = {
    for alarm, metric in { Errors = "Errors", FunctionThrottles = "Throttles" } : alarm => [
      for operation, function_name in local.function_names : {
        id = operation, namespace = "AWS/Lambda", name = metric, dimensions = { FunctionName = function_name }
      }
    ]
  }

  table_metrics = [
    for id, metric in { reads = "ReadThrottleEvents", writes = "WriteThrottleEvents" } : {
      id                      = id, namespace = "AWS/DynamoDB", name = metric, dimensions = { TableName = aws_dynamodb_table.runs.name }
    }
  ]

  # An alarm watches one metric, or the sum of several.
  alarms = {
    Defects = {
      description = "A function of the run store is wrongly deployed, or has a defect"
      namespace   = var.metrics_namespace, name = "Defects", dimensions = local.service
    }
    Errors = {
      description = "Functions of the run store raised exceptions for a quarter of an hour"
      sum_of      = local.lambda_metrics.Errors, periods = 3
    }
    FunctionThrottles = {
      description = "Lambda refused invocations of the run store's functions"
      sum_of      = local.lambda_metrics.FunctionThrottles
    }
    TableThrottles = {
      description = "DynamoDB throttled requests to the run store's table"
      sum_of      = local.table_metrics, threshold = 100
    }
    SlowInvocations = {
      description = "A function of the run store used more than three quarters of its time-out"
      namespace   = var.metrics_namespace, name = "SlowInvocations", dimensions = local.service
    }
    FailedRuns = {
      description = "Runs of workflow classes have failed"
      namespace   = var.metrics_namespace, name = "FailedRuns", dimensions = local.service
    }
    StepTimeouts = {
      description = "Steps of workflow classes ran out of time"
      namespace   = var.metrics_namespace, name = "StepTimeouts", dimensions = local.service
    }
    DeadLetters = {
      description = "retire_run did not handle the end of an execution"
      namespace   = "AWS/SQS", name = "ApproximateNumberOfMessagesVisible", statistic = "Maximum"
      dimensions  = { QueueName = aws_sqs_queue.dead_letters.name }
    }
    IncompleteCompletions = {
      description = "A run's items could not be deleted within the function's time, again and again"
      namespace   = var.metrics_namespace, name = "IncompleteCompletionError", dimensions = local.service
      periods     = 4, breaching_periods = 3 # a completion that runs out of time does so once in 300 seconds
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "alarm" {
  for_each            = { for name, alarm in local.alarms : name => alarm if var.alarms }
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  alarm_actions       = var.alarm_topic_arn == null ? [] : [var.alarm_topic_arn]
  ok_actions          = var.alarm_topic_arn == null ? [] : [var.alarm_topic_arn]
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = try(each.value.threshold, 1)
  evaluation_periods  = try(each.value.periods, 1)
  datapoints_to_alarm = try(each.value.breaching_periods, null)
  treat_missing_data  = "notBreaching"
  tags                = var.tags

  namespace   = try(each.value.namespace, null)
  metric_name = try(each.value.name, null)
  dimensions  = try(each.value.dimensions, null)
  period      = can(each.value.sum_of) ? null : 300
  statistic   = can(each.value.sum_of) ? null : try(each.value.statistic, "Sum")

  dynamic "metric_query" {
    for_each = can(each.value.sum_of) ? [each.key] : []
    content {
      id          = "total"
      expression  = "SUM(METRICS())"
      label       = metric_query.value
      return_data = true
    }
  }

  dynamic "metric_query" {
    for_each = try(each.value.sum_of, [])
    content {
      id = metric_query.value.id
      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.name
        dimensions  = metric_query.value.dimensions
        period      = 300
        stat        = "Sum"
      }
    }
  }
}

locals {
  # The text with placeholders that the SAM template includes.
  dashboard_body = yamldecode(file("${path.module}/dashboard.yaml"))["Fn::Sub"][0]
}

resource "aws_cloudwatch_dashboard" "operations" {
  count          = var.dashboard ? 1 : 0
  dashboard_name = var.name
  dashboard_body = templatestring(local.dashboard_body, {
    Region           = data.aws_region.current.id
    Namespace        = var.metrics_namespace
    Service          = var.service_name
    Table            = aws_dynamodb_table.runs.name
    DeadLetters      = aws_sqs_queue.dead_letters.name
    GetValue         = local.function_names["get_value"]
    GetValues        = local.function_names["get_values"]
    SetValue         = local.function_names["set_value"]
    PushItem         = local.function_names["push_item"]
    IncrementCounter = local.function_names["increment_counter"]
    DeleteKey        = local.function_names["delete_key"]
    ApplyOperations  = local.function_names["apply_operations"]
    SendEvent        = local.function_names["send_event"]
    CompleteRun      = local.function_names["complete_run"]
    RetireRun        = local.function_names["retire_run"]
  })
}
