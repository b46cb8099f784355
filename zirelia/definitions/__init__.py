"""Files → values: agents/*.md, persona packs and character cards. Knows no model, no network and no store."""
