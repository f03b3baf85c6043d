//! Against a simpler model.
