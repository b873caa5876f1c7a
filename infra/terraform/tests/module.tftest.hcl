# `terraform test` in infra/terraform: plans against a provider that only pretends.
mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { id = "eu-central-1" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/role" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-central-1:123456789012:queue" }
  }
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:function" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:group" }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:eu-central-1:123456789012:rule/rule" }
  }
}

variables {
  bundle = "main.tf" # any file: nothing is uploaded
  layer  = "main.tf"
}

run "defaults" {
  assert {
    condition     = length(aws_lambda_function.function) == 14
    error_message = "ten functions of the store and four of the examples"
  }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.alarm) == 0
    error_message = "alarms cost money: they are off by default"
  }
  assert {
    condition     = aws_dynamodb_table.runs.ttl[0].attribute_name == "expires_at"
    error_message = "without expiry a run that never completes stays"
  }
}

run "store_alone" {
  variables {
    example_state_machines = false
  }
  assert {
    condition     = length(aws_sfn_state_machine.example) == 0 && length(aws_lambda_permission.retire_run) == 0
    error_message = "no state machine, so no rule may invoke retire_run"
  }
}

run "own_state_machines" {
  variables {
    example_state_machines = false
    state_machine_arns     = ["arn:aws:states:eu-central-1:123456789012:stateMachine:orders"]
    queue_kms_key_arn      = "arn:aws:kms:eu-central-1:123456789012:key/1"
    tracing                = "Active"
  }
  assert {
    condition     = strcontains(aws_cloudwatch_event_rule.execution_ends[0].event_pattern, "stateMachine:orders")
    error_message = "the ends of their executions are watched"
  }
  assert {
    condition     = strcontains(aws_iam_role_policy.function["retire-run"].policy, "kms:GenerateDataKey")
    error_message = "retire_run may write to the encrypted queue"
  }
}

run "guardrails" {
  variables {
    example_state_machines   = false
    run_id_prefixes          = ["arn:aws:states:eu-central-1:123456789012:execution:orders:"]
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
    subnet_ids               = ["subnet-0a1b"]
    security_group_ids       = ["sg-0a1b"]
    retire_run_concurrency   = 5
    tags                     = { team = "orders" }
  }
  assert {
    condition     = alltrue([for role in aws_iam_role.function : role.permissions_boundary == var.permissions_boundary_arn])
    error_message = "every role has the boundary"
  }
  assert {
    condition     = alltrue([for policy in aws_iam_role_policy.function : strcontains(policy.policy, "dynamodb:LeadingKeys")])
    error_message = "every role is held to the prefixes"
  }
  assert {
    condition     = alltrue([for function in aws_lambda_function.function : length(function.vpc_config) == 1])
    error_message = "every function runs in the subnets"
  }
  assert {
    condition     = aws_lambda_function.function["retire-run"].reserved_concurrent_executions == 5
    error_message = "retire_run has its own concurrency"
  }
  assert {
    condition     = aws_dynamodb_table.runs.tags.team == "orders"
    error_message = "tags reach the resources"
  }
}

run "subnets_without_security_groups" {
  command = plan
  variables {
    subnet_ids = ["subnet-0a1b"]
  }
  expect_failures = [var.security_group_ids]
}

run "plain_http" {
  command = plan
  variables {
    dynamodb_endpoint_url = "http://dynamodb.example"
  }
  expect_failures = [var.dynamodb_endpoint_url]
}
