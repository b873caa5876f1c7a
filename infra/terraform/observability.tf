# What each alarm means and what to do: docs/operations.md.
locals {
  function_names = { for name, function in aws_lambda_function.function : replace(name, "-", "_") => function.function_name
  if !contains(keys(local.workflows), name) }
  brief    = setsubtract(keys(local.function_names), ["complete_run", "retire_run"])
  thorough = ["complete_run", "retire_run"]

  per_function = {
    for name, metric in {
      Errors             = { name = "Errors", stat = "Sum", of = keys(local.function_names) }
      FunctionThrottles  = { name = "Throttles", stat = "Sum", of = keys(local.function_names) }
      OperationDuration  = { name = "Duration", stat = "Maximum", of = local.brief }
      CompletionDuration = { name = "Duration", stat = "Maximum", of = local.thorough }
      } : name => [
      for function in metric.of : {
        id         = function, namespace = "AWS/Lambda", name = metric.name, stat = metric.stat
        dimensions = { FunctionName = local.function_names[function] }
      }
    ]
  }

  # Those of the functions' own metrics, by operation.
  own = {
    for name, of in { Defects = keys(local.function_names), IncompleteCompletionError = local.thorough } : name => [
      for operation in of : {
        id         = operation, namespace = var.metrics_namespace, name = name, stat = "Sum"
        dimensions = { service = var.service_name, operation = operation }
      }
    ]
  }

  alarms = {
    Defects = {
      description = "A function of the run store is wrongly deployed, or has a defect"
      expression  = "SUM(METRICS())", threshold = 1, metrics = local.own.Defects
    }
    Errors = {
      description = "A function of the run store raised exceptions for a quarter of an hour"
      expression  = "SUM(METRICS())", threshold = 1, metrics = local.per_function.Errors, periods = 3
    }
    FunctionThrottles = {
      description = "Lambda refused invocations of the run store's functions"
      expression  = "SUM(METRICS())", threshold = 1, metrics = local.per_function.FunctionThrottles
    }
    TableThrottles = {
      description = "DynamoDB throttled requests to the run store's table"
      expression  = "SUM(METRICS())", threshold = 100
      metrics = [for id, metric in { reads = "ReadThrottleEvents", writes = "WriteThrottleEvents" } : {
        id         = id, namespace = "AWS/DynamoDB", name = metric, stat = "Sum"
        dimensions = { TableName = aws_dynamodb_table.runs.name }
      }]
    }
    OperationDuration = {
      description = "An operation took more than three quarters of its time-out of 30 seconds"
      expression  = "MAX(METRICS())", threshold = 22500, metrics = local.per_function.OperationDuration
    }
    CompletionDuration = {
      description = "complete_run or retire_run took more than four fifths of its time-out of 300 seconds"
      expression  = "MAX(METRICS())", threshold = 240000, metrics = local.per_function.CompletionDuration
    }
    DeadLetters = {
      description = "retire_run never handled the end of an execution"
      expression  = "MAX(METRICS())", threshold = 1
      metrics = [{
        id         = "messages", namespace = "AWS/SQS", name = "ApproximateNumberOfMessagesVisible", stat = "Maximum"
        dimensions = { QueueName = aws_sqs_queue.dead_letters.name }
      }]
    }
    IncompleteCompletions = {
      description = "A run's items could not be deleted within the function's time, again and again"
      expression  = "SUM(METRICS())", threshold = 1 # a completion that runs out of time does so once in 300 seconds
      metrics     = local.own.IncompleteCompletionError, periods = 4, breaching_periods = 3
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
  threshold           = each.value.threshold
  evaluation_periods  = try(each.value.periods, 1)
  datapoints_to_alarm = try(each.value.breaching_periods, null)
  treat_missing_data  = "notBreaching"

  metric_query {
    id          = "total"
    expression  = each.value.expression
    label       = each.key
    return_data = true
  }

  dynamic "metric_query" {
    for_each = each.value.metrics
    content {
      id = metric_query.value.id
      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.name
        dimensions  = metric_query.value.dimensions
        period      = 300
        stat        = metric_query.value.stat
      }
    }
  }
}

resource "aws_cloudwatch_dashboard" "operations" {
  count          = var.dashboard ? 1 : 0
  dashboard_name = var.name
  dashboard_body = templatefile("${path.module}/../dashboard.json", {
    Region           = data.aws_region.current.name
    Namespace        = var.metrics_namespace
    Service          = var.service_name
    Table            = aws_dynamodb_table.runs.name
    DeadLetters      = aws_sqs_queue.dead_letters.name
    GetValue         = local.function_names["get_value"]
    SetValue         = local.function_names["set_value"]
    PushItem         = local.function_names["push_item"]
    IncrementCounter = local.function_names["increment_counter"]
    DeleteKey        = local.function_names["delete_key"]
    CompleteRun      = local.function_names["complete_run"]
    RetireRun        = local.function_names["retire_run"]
  })
}
