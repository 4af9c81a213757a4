"""Promotion requests: from asked for, through four-eyes approval, to deployed and on record."""
