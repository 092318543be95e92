"""Several web processes over one database, one data folder and one Redis."""
