"""People, tenants, roles and API tokens: who may do what, where."""
