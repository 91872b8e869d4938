-- What the web interface asks for: runs by hour.
CREATE INDEX flow_counts_by_hour ON flow_counts (hour, state);
