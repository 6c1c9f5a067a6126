"""How each schema came to be: one folder per schema, one file per step."""
