variable "name" {
  description = "Begins the name of everything that the module makes; the table has just this name."
  type        = string
  default     = "runstore"
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,19}$", var.name))
    error_message = "name must be a small letter and 2 to 19 small letters, digits or -."
  }
}

variable "bundle" {
  description = "Path of the functions' zip archive. Null uses the one in a released module; a checkout has none, and `make build` makes dist/functions.zip."
  type        = string
  default     = null

  validation {
    condition     = fileexists(coalesce(var.bundle, "${path.module}/functions.zip"))
    error_message = "bundle must be a file: `make build` makes dist/functions.zip."
  }
}

variable "layer" {
  description = "Path of the layer's zip archive. Null uses the one in a released module; a checkout has none, and `make build` makes dist/layer.zip."
  type        = string
  default     = null

  validation {
    condition     = fileexists(coalesce(var.layer, "${path.module}/layer.zip"))
    error_message = "layer must be a file: `make build` makes dist/layer.zip."
  }
}

variable "max_value_bytes" {
  description = "Largest stored value or pushed item, in bytes of compact JSON."
  type        = number
  default     = 65536
  nullable    = false

  validation {
    condition     = var.max_value_bytes >= 1 && var.max_value_bytes <= 350000 && floor(var.max_value_bytes) == var.max_value_bytes
    error_message = "max_value_bytes must be a whole number from 1 to 350,000."
  }
}

variable "ttl_days" {
  description = "Days after its last write that an item expires. Steps of your own need the same. Keep it longer than your longest execution: an expiry inside a living run loses data. The default is longer than any Standard execution can last."
  type        = number
  default     = 366
  nullable    = false

  validation {
    condition     = var.ttl_days >= 1 && var.ttl_days <= 3660 && floor(var.ttl_days) == var.ttl_days
    error_message = "ttl_days must be a whole number from 1 to 3,660."
  }
}

variable "failed_retention_days" {
  description = "Days that the state of a failed, timed out or aborted run is kept for a redrive (Step Functions allows 14). 0 deletes it at once; a redriven execution then finds nothing."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = var.failed_retention_days >= 0 && var.failed_retention_days <= 366 && floor(var.failed_retention_days) == var.failed_retention_days
    error_message = "failed_retention_days must be a whole number from 0 to 366."
  }
}

variable "point_in_time_recovery" {
  description = "Continuous backups of the table. Run state is short-lived, so the default is off."
  type        = bool
  default     = false
  nullable    = false
}

variable "deletion_protection" {
  description = "Refuse to delete the table, also when the module is destroyed."
  type        = bool
  default     = false
  nullable    = false
}

variable "kms_key_arn" {
  description = "Customer managed key that encrypts the table. Null uses the key that DynamoDB owns, free of charge."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws[a-zA-Z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn must be null or the ARN of a KMS key."
  }
}

variable "max_read_units" {
  description = "Most read request units a second that the table serves; it throttles beyond. Null sets no limit."
  type        = number
  default     = null

  validation {
    condition     = try(var.max_read_units >= 1 && floor(var.max_read_units) == var.max_read_units, var.max_read_units == null)
    error_message = "max_read_units must be null or a whole number of at least 1."
  }
}

variable "max_write_units" {
  description = "Most write request units a second that the table serves; it throttles beyond. Null sets no limit."
  type        = number
  default     = null

  validation {
    condition     = try(var.max_write_units >= 1 && floor(var.max_write_units) == var.max_write_units, var.max_write_units == null)
    error_message = "max_write_units must be null or a whole number of at least 1."
  }
}

variable "dynamodb_endpoint_url" {
  description = "Where the functions reach DynamoDB, such as its FIPS endpoint. Null uses the region's own. An endpoint inside a VPC needs subnet_ids. Plain http is for an emulator on the same machine."
  type        = string
  default     = null

  validation {
    condition     = var.dynamodb_endpoint_url == null || can(regex("^https://[^\\s/@]+$|^http://(localhost|127(\\.[0-9]{1,3}){3}|\\[::1\\])(:[0-9]{1,5})?$", var.dynamodb_endpoint_url))
    error_message = "dynamodb_endpoint_url must be null, or an https URL without a path, or an http URL of this machine."
  }
}

variable "state_machine_arns" {
  description = "ARNs of your own Standard state machines whose executions use the store. Their ends are watched, so that runs which never reach their completion state are retired. Without version or alias: no event would match those."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.state_machine_arns : can(regex("^arn:aws[a-zA-Z-]*:states:[a-z0-9-]+:[0-9]{12}:stateMachine:[^*?:]+$", arn))])
    error_message = "state_machine_arns must be ARNs of state machines, without wildcards, version or alias."
  }
}

variable "retirement_rule_prefix" {
  description = "EventBridge rules of this account and region whose names begin so may invoke retire_run too, for more state machines than state_machine_arns can name (docs/operations.md)."
  type        = string
  default     = null

  validation {
    condition     = var.retirement_rule_prefix == null || can(regex("^[A-Za-z0-9._-]{1,60}$", var.retirement_rule_prefix))
    error_message = "retirement_rule_prefix must be null or 1 to 60 letters, digits, . _ -"
  }
}

variable "example_state_machines" {
  description = "Deploy the example state machines, and the functions that run the example workflow classes."
  type        = bool
  default     = true
  nullable    = false

  validation {
    condition = !var.example_state_machines || anytrue([
      for place in ["statemachines", "../statemachines"] : fileexists("${path.module}/${place}/order_fanout.asl.json")
    ])
    error_message = "example_state_machines needs the state machines, which lie beside the module: source it from a released archive, from git or by a relative path; Terraform copies a module with an absolute path without what lies beside it."
  }
}

variable "run_id_prefixes" {
  description = "The functions serve only runs whose ids begin with one of these, and their roles reach no others: such as arn:aws:states:eu-central-1:123456789012:execution:orders- for executions. Empty serves every run."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for prefix in var.run_id_prefixes : can(regex("^[^\\s*?$,]{1,512}$", prefix))])
    error_message = "run_id_prefixes must be prefixes of run ids, without wildcards, $, commas and spaces."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of every role, for accounts that demand one."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:aws[a-zA-Z-]*:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be null or the ARN of an IAM policy."
  }
}

variable "subnet_ids" {
  description = "Subnets that the functions run in, with security_group_ids. They need a route to DynamoDB, best a gateway endpoint. Empty runs them outside of your VPCs."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.subnet_ids : can(regex("^subnet-[0-9a-f]+$", id))])
    error_message = "subnet_ids must be ids of subnets."
  }
}

variable "security_group_ids" {
  description = "Security groups of the functions in subnet_ids. They must allow HTTPS to DynamoDB."
  type        = list(string)
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for id in var.security_group_ids : can(regex("^sg-[0-9a-f]+$", id))])
    error_message = "security_group_ids must be ids of security groups."
  }

  validation {
    condition     = (length(var.security_group_ids) > 0) == (length(var.subnet_ids) > 0)
    error_message = "security_group_ids and subnet_ids need each other."
  }
}

variable "log_kms_key_arn" {
  description = "Customer managed key that encrypts the logs; its key policy must allow CloudWatch Logs. Null uses the key of CloudWatch Logs."
  type        = string
  default     = null

  validation {
    condition     = var.log_kms_key_arn == null || can(regex("^arn:aws[a-zA-Z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.log_kms_key_arn))
    error_message = "log_kms_key_arn must be null or the ARN of a KMS key."
  }
}

variable "queue_kms_key_arn" {
  description = "Customer managed key that encrypts the dead-letter queue; its key policy must allow EventBridge. Null uses the key of SQS."
  type        = string
  default     = null

  validation {
    condition     = var.queue_kms_key_arn == null || can(regex("^arn:aws[a-zA-Z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.queue_kms_key_arn))
    error_message = "queue_kms_key_arn must be null or the ARN of a KMS key."
  }
}

variable "retire_run_concurrency" {
  description = "Most invocations of retire_run at once, reserved from the account's. Null reserves none."
  type        = number
  default     = null

  validation {
    condition     = try(var.retire_run_concurrency >= 1 && floor(var.retire_run_concurrency) == var.retire_run_concurrency, var.retire_run_concurrency == null)
    error_message = "retire_run_concurrency must be null or a whole number of at least 1."
  }
}

variable "tags" {
  description = "Tags of every resource that can have them."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "python_runtime" {
  description = "Lambda runtime of the functions."
  type        = string
  default     = "python3.13"
  nullable    = false

  validation {
    condition     = contains(["python3.11", "python3.12", "python3.13", "python3.14"], var.python_runtime)
    error_message = "python_runtime must be python3.11, python3.12, python3.13 or python3.14."
  }
}

variable "architecture" {
  description = "Processor of the functions."
  type        = string
  default     = "arm64"
  nullable    = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64."
  }
}

variable "memory_size" {
  description = "Memory of the operation functions, in MB. Processor time grows with it."
  type        = number
  default     = 256
  nullable    = false

  validation {
    condition     = var.memory_size >= 128 && var.memory_size <= 10240
    error_message = "memory_size must be from 128 to 10,240 MB."
  }
}

variable "completion_memory_size" {
  description = "Memory of complete_run and retire_run, and of the example workflows, in MB. They delete in parallel batches."
  type        = number
  default     = 1024
  nullable    = false

  validation {
    condition     = var.completion_memory_size >= 128 && var.completion_memory_size <= 10240
    error_message = "completion_memory_size must be from 128 to 10,240 MB."
  }
}

variable "snap_start" {
  description = "Publish each change of the operations' functions as a version with SnapStart, behind the alias live."
  type        = bool
  default     = false
  nullable    = false

  validation {
    condition     = !var.snap_start || var.python_runtime != "python3.11"
    error_message = "snap_start needs python_runtime python3.12 or later."
  }
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
  default     = 30
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of the periods that CloudWatch Logs knows, such as 7, 30 or 365."
  }
}

variable "log_level" {
  description = "Least level that the functions log. Values are never logged, at any level."
  type        = string
  default     = "INFO"
  nullable    = false

  validation {
    condition     = contains(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], var.log_level)
    error_message = "log_level must be DEBUG, INFO, WARNING, ERROR or CRITICAL."
  }
}

variable "state_machine_log_level" {
  description = "What the example state machines log. Execution data is never included."
  type        = string
  default     = "OFF"
  nullable    = false

  validation {
    condition     = contains(["OFF", "FATAL", "ERROR", "ALL"], var.state_machine_log_level)
    error_message = "state_machine_log_level must be OFF, FATAL, ERROR or ALL."
  }
}

variable "tracing" {
  description = "Active records every invocation in X-Ray; PassThrough only where the caller already traces."
  type        = string
  default     = "PassThrough"
  nullable    = false

  validation {
    condition     = contains(["Active", "PassThrough"], var.tracing)
    error_message = "tracing must be Active or PassThrough."
  }
}

variable "service_name" {
  description = "Name of the service in logs and metrics."
  type        = string
  default     = "runstore"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9_.-]{0,62}$", var.service_name))
    error_message = "service_name must be a letter followed by at most 62 letters, digits, _ . or -."
  }
}

variable "metrics_namespace" {
  description = "CloudWatch namespace of the metrics."
  type        = string
  default     = "RunStore"
  nullable    = false

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9_./-]{0,254}$", var.metrics_namespace))
    error_message = "metrics_namespace must be a letter followed by at most 254 letters, digits, _ . / or -."
  }
}

variable "alarms" {
  description = "Create the alarms that docs/operations.md explains; they cost about 2.80 US dollars a month. Without alarm_topic_arn they notify nobody."
  type        = bool
  default     = false
  nullable    = false
}

variable "alarm_topic_arn" {
  description = "SNS topic that is notified when an alarm begins and ends."
  type        = string
  default     = null

  validation {
    condition     = var.alarm_topic_arn == null || can(regex("^arn:aws[a-zA-Z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]+$", var.alarm_topic_arn))
    error_message = "alarm_topic_arn must be null or the ARN of an SNS topic."
  }
}

variable "dashboard" {
  description = "Create the CloudWatch dashboard; it costs about 3 US dollars a month."
  type        = bool
  default     = false
  nullable    = false
}
