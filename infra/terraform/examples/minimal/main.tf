# The store with its defaults, without the example state machines.
terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.90, < 7.0"
    }
  }
}

module "runstore" {
  source = "../.."

  # In a checkout, after `make build`. A released module contains both files, and needs neither argument.
  bundle = "${path.module}/../../../../dist/functions.zip"
  layer  = "${path.module}/../../../../dist/layer.zip"

  example_state_machines = false
}

output "function_arns" {
  description = "What your state machines invoke."
  value       = module.runstore.function_arns
}
