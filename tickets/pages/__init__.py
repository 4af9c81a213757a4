"""What the pages of tickets show: reads that start from what the person may see, shaped for templates."""
