"""Commands: each looks, decides by the rules of core, and writes events, in one transaction."""
