"""The four measures of delivery: how often, how fast, how many go wrong, how soon that is over."""
