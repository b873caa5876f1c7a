# A production store: your own keys, network and boundary, alarms, and the runs of one state machine only.
terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.90, < 7.0"
    }
  }
}

variable "state_machine_arn" {
  description = "ARN of the Standard state machine whose executions use the store."
  type        = string
}

variable "kms_key_arn" {
  description = "Key for the table, the logs and the dead-letter queue."
  type        = string
}

variable "alarm_topic_arn" {
  description = "SNS topic for the alarms."
  type        = string
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the roles."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets with a gateway endpoint for DynamoDB."
  type        = list(string)
}

variable "security_group_ids" {
  description = "Security groups that allow HTTPS to DynamoDB."
  type        = list(string)
}

module "runstore" {
  source = "../.."

  # In a checkout, after `make build`. A released module contains both files, and needs neither argument.
  bundle = "${path.module}/../../../../dist/functions.zip"
  layer  = "${path.module}/../../../../dist/layer.zip"

  name                   = "orders-runstore"
  example_state_machines = false
  state_machine_arns     = [var.state_machine_arn]
  run_id_prefixes        = ["${replace(var.state_machine_arn, ":stateMachine:", ":execution:")}:"]

  deletion_protection    = true
  point_in_time_recovery = true
  kms_key_arn            = var.kms_key_arn
  log_kms_key_arn        = var.kms_key_arn
  queue_kms_key_arn      = var.kms_key_arn

  permissions_boundary_arn = var.permissions_boundary_arn
  subnet_ids               = var.subnet_ids
  security_group_ids       = var.security_group_ids
  retire_run_concurrency   = 10
  max_write_units          = 4000

  alarms          = true
  alarm_topic_arn = var.alarm_topic_arn
  dashboard       = true
  tracing         = "Active"
  tags            = { service = "orders" }
}

output "function_arns" {
  description = "What your state machines invoke."
  value       = module.runstore.function_arns
}

output "step_environment" {
  description = "Environment of steps of your own."
  value       = module.runstore.step_environment
}
