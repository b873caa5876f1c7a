output "table_name" {
  description = "Name of the table; RUNSTORE_TABLE of steps of your own."
  value       = aws_dynamodb_table.runs.name
}

output "table_arn" {
  description = "ARN of the table."
  value       = aws_dynamodb_table.runs.arn
}

output "step_environment" {
  description = "Environment of steps of your own that use the table."
  value = {
    RUNSTORE_TABLE           = aws_dynamodb_table.runs.name
    RUNSTORE_MAX_VALUE_BYTES = tostring(var.max_value_bytes)
    RUNSTORE_TTL_DAYS        = tostring(var.ttl_days)
  }
}

output "layer_arn" {
  description = "Layer with the runstore package, for steps of your own."
  value       = aws_lambda_layer_version.runstore.arn
}

output "function_arns" {
  description = "What to invoke, by entry point: get_value, get_values, set_value, push_item, increment_counter, delete_key, apply_operations, send_event, complete_run, retire_run."
  value       = { for name, arn in local.arns : replace(name, "-", "_") => arn if !contains(keys(local.workflows), name) }
}

output "dead_letter_queue_url" {
  description = "Queue of the events that retire_run never handled."
  value       = aws_sqs_queue.dead_letters.url
}

output "dead_letter_queue_arn" {
  description = "ARN of that queue."
  value       = aws_sqs_queue.dead_letters.arn
}

output "state_machine_arns" {
  description = "The example state machines by name: order_fanout, counter_jsonata, send_email_workflow, order_workflow, approval_workflow, import_workflow."
  value       = { for name, machine in aws_sfn_state_machine.example : replace(name, "-", "_") => machine.arn }
}
