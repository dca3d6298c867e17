"""What a run writes: history, accounts, profiles, fields, checkpoint, summary."""
