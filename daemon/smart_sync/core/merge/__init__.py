"""The decisions of a pass: strategies, policy, votes, suspects, the plan."""
