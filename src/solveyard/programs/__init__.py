"""Small programs of ours that run as jobs, or around them."""
