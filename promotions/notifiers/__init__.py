"""What promotions tell people: which fact makes which notice, and who gets it."""
