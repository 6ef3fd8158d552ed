"""What a pass decides: strategies, policy, the plan."""
