"""What people write, in two parts."""
