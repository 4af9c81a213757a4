"""What the pages of promotion requests show: reads that start from what the person may see, shaped for templates."""
