"""The seven Lambda functions, called as Lambda calls them."""
