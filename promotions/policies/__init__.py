"""Policies: plug-ins that judge a request; a page shows every verdict, a blocking one stops the approval."""
