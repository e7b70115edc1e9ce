//! The JSON schema of the options: what `docs/options.schema.json` holds.
