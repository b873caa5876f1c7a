locals {
  bundle = coalesce(var.bundle, "${path.module}/functions.zip")

  # Every DynamoDB permission of every function, on the one table.
  workflow_actions = [ # a step's own operations, and the engine's records
    "dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:UpdateItem",
    "dynamodb:DeleteItem", "dynamodb:BatchWriteItem",
  ]
  append_actions = [
    "dynamodb:UpdateItem", "dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query",
    "dynamodb:PutItem",    # intents
    "dynamodb:DeleteItem", # expired heads
  ]

  # Functions that an operation calls are published as an alias when SnapStart is on.
  operations = {
    get-value = {
      description = "Reads a key of a run, or a range of a list"
      actions     = ["dynamodb:GetItem", "dynamodb:Query"]
    }
    get-values = {
      description = "Reads the keys of a run, or those that begin with a prefix"
      actions     = ["dynamodb:Query"]
    }
    set-value = {
      description = "Replaces the value of a key of a run"
      actions     = ["dynamodb:PutItem", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"]
    }
    push-item = {
      description = "Appends an item, or items, to a list of a run"
      actions     = local.append_actions
    }
    increment-counter = {
      description = "Adds to a counter of a run"
      actions     = local.append_actions
    }
    delete-key = {
      description = "Removes a key of a run"
      actions     = ["dynamodb:DeleteItem", "dynamodb:Query", "dynamodb:UpdateItem"]
    }
    apply-operations = {
      description = "Does several operations on a run, in order"
      actions     = local.append_actions
    }
    send-event = {
      description = "Sends an event to a workflow that waits for it"
      actions     = ["dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem"]
    }
    complete-run = {
      description = "Deletes every item of a run; the completion state of a workflow calls it"
      actions     = ["dynamodb:Query", "dynamodb:BatchWriteItem"]
    }
  }

  workflows = {
    send-email-workflow = "Runs the steps of the example workflow that sends an email"
    order-workflow      = "Runs the steps of the example workflow that processes an order"
    approval-workflow   = "Runs the steps of the example workflow that waits for the answer of a person"
    import-workflow     = "Runs the steps of the example workflow that imports rows in parallel"
  }

  functions = merge(
    local.operations,
    {
      retire-run = {
        description = "Ends the runs that never reach their completion state"
        actions     = ["dynamodb:Query", "dynamodb:UpdateItem", "dynamodb:BatchWriteItem", "dynamodb:DeleteItem"]
      }
    },
    { for name, text in local.workflows : name => { description = text, actions = local.workflow_actions }
    if var.example_state_machines },
  )

  large = setunion(["complete-run", "retire-run"], keys(local.workflows)) # they have much to do, or steps to run

  trusted = {
    for service in ["lambda", "states"] : service => jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Allow"
        Principal = { Service = "${service}.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
      }]
    })
  }

  in_vpc = length(var.subnet_ids) > 0

  shared_statements = concat(
    var.tracing != "Active" ? [] : [{
      Effect   = "Allow"
      Action   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
      Resource = "*" # X-Ray has no resource type in IAM
    }],
    var.kms_key_arn == null ? [] : [{
      Effect    = "Allow"
      Action    = ["kms:Decrypt", "kms:DescribeKey"]
      Resource  = var.kms_key_arn
      Condition = { StringEquals = { "kms:ViaService" = "dynamodb.${data.aws_region.current.id}.amazonaws.com" } }
    }],
    !local.in_vpc ? [] : [{
      Effect = "Allow"
      Action = [
        "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",
        "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
      ]
      Resource = "*" # Lambda checks for exactly this
    }],
    length(var.run_id_prefixes) == 0 ? [] : [{
      Effect   = "Deny" # a run of another prefix, also where a role allows the action
      Action   = "dynamodb:*"
      Resource = aws_dynamodb_table.runs.arn
      Condition = {
        "ForAnyValue:StringNotLike" = { "dynamodb:LeadingKeys" = [for prefix in var.run_id_prefixes : "${prefix}*"] }
      }
    }],
  )
}

resource "aws_cloudwatch_log_group" "function" {
  for_each          = local.functions
  name              = "/aws/lambda/${var.name}-${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
  tags              = var.tags
}

resource "aws_iam_role" "function" {
  for_each             = local.functions
  name                 = "${var.name}-${each.key}-${data.aws_region.current.id}"
  assume_role_policy   = local.trusted["lambda"]
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

resource "aws_iam_role_policy" "function" {
  for_each = local.functions
  name     = each.key
  role     = aws_iam_role.function[each.key].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        { Effect = "Allow", Action = each.value.actions, Resource = aws_dynamodb_table.runs.arn },
        {
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = "${aws_cloudwatch_log_group.function[each.key].arn}:*"
        },
      ],
      # IAM asks about the state machine that waits, though its reference lists no resource; see template.yaml.
      each.key != "send-event" ? [] : [
        { Effect = "Allow", Action = "states:SendTaskSuccess", Resource = "${local.prefix}:states:${local.here}:stateMachine:*" },
      ],
      each.key != "retire-run" ? [] : [
        { Effect = "Allow", Action = "sqs:SendMessage", Resource = aws_sqs_queue.dead_letters.arn },
      ],
      each.key != "retire-run" || var.queue_kms_key_arn == null ? [] : [
        { Effect = "Allow", Action = ["kms:GenerateDataKey", "kms:Decrypt"], Resource = var.queue_kms_key_arn },
      ],
      # What some variables ask of every function.
      local.shared_statements,
    )
  })
}

resource "aws_lambda_function" "function" {
  for_each         = local.functions
  function_name    = "${var.name}-${each.key}"
  description      = each.value.description
  handler          = "${replace(each.key, "-", "_")}.handler"
  role             = aws_iam_role.function[each.key].arn
  filename         = local.bundle
  source_code_hash = filebase64sha256(local.bundle)
  runtime          = var.python_runtime
  architectures    = [var.architecture]
  memory_size      = contains(local.large, each.key) ? var.completion_memory_size : var.memory_size
  timeout          = contains(local.large, each.key) ? 300 : 30
  publish          = var.snap_start && contains(keys(local.operations), each.key)
  tags             = var.tags

  reserved_concurrent_executions = each.key == "retire-run" && var.retire_run_concurrency != null ? var.retire_run_concurrency : -1

  environment {
    variables = merge(
      {
        RUNSTORE_TABLE                 = aws_dynamodb_table.runs.name
        RUNSTORE_MAX_VALUE_BYTES       = var.max_value_bytes
        RUNSTORE_TTL_DAYS              = var.ttl_days
        RUNSTORE_FAILED_RETENTION_DAYS = var.failed_retention_days
        POWERTOOLS_SERVICE_NAME        = var.service_name
        POWERTOOLS_METRICS_NAMESPACE   = var.metrics_namespace
        POWERTOOLS_LOG_LEVEL           = var.log_level
      },
      length(var.run_id_prefixes) == 0 ? {} : { RUNSTORE_RUN_ID_PREFIXES = join(",", var.run_id_prefixes) },
      var.dynamodb_endpoint_url == null ? {} : { AWS_ENDPOINT_URL_DYNAMODB = var.dynamodb_endpoint_url },
    )
  }

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.function[each.key].name
  }

  tracing_config {
    mode = var.tracing
  }

  dynamic "vpc_config" {
    for_each = local.in_vpc ? [1] : []
    content {
      subnet_ids         = var.subnet_ids
      security_group_ids = var.security_group_ids
    }
  }

  dynamic "snap_start" {
    for_each = var.snap_start && !contains(keys(local.workflows), each.key) ? [1] : []
    content {
      apply_on = "PublishedVersions"
    }
  }

  depends_on = [aws_iam_role_policy.function] # the first invocation must have its permissions
}

resource "aws_lambda_alias" "function" {
  for_each         = var.snap_start ? local.operations : {}
  name             = "live"
  function_name    = aws_lambda_function.function[each.key].function_name
  function_version = aws_lambda_function.function[each.key].version
}

locals {
  # What callers invoke.
  arns = {
    for name, function in aws_lambda_function.function :
    name => try(aws_lambda_alias.function[name].arn, function.arn)
  }
}
