resource "aws_dynamodb_table" "runs" {
  name                        = var.name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "run_id"
  range_key                   = "key"
  deletion_protection_enabled = var.deletion_protection
  tags                        = var.tags

  attribute {
    name = "run_id"
    type = "S"
  }

  attribute {
    name = "key"
    type = "S"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = var.point_in_time_recovery
  }

  dynamic "on_demand_throughput" {
    for_each = var.max_read_units == null && var.max_write_units == null ? [] : [1]
    content {
      max_read_request_units  = var.max_read_units
      max_write_request_units = var.max_write_units
    }
  }

  # Always encrypted; without a key of yours, with the one that DynamoDB owns.
  dynamic "server_side_encryption" {
    for_each = var.kms_key_arn == null ? [] : [var.kms_key_arn]
    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value
    }
  }
}

resource "aws_lambda_layer_version" "runstore" {
  layer_name       = var.name
  description      = "The runstore package, for workflow steps of your own"
  filename         = coalesce(var.layer, "${path.module}/layer.zip")
  source_code_hash = filebase64sha256(coalesce(var.layer, "${path.module}/layer.zip"))
  # Version 5 of the provider knows no python3.14, so it is named only where it is asked for.
  compatible_runtimes = distinct(["python3.11", "python3.12", "python3.13", var.python_runtime])
  skip_destroy        = true # steps may still use it
}
