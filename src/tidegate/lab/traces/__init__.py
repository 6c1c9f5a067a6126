"""What people are drawn from: how long questions are, and when they are asked."""
