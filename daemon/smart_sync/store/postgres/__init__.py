"""PostgreSQL as the store, through psycopg (extra ``postgres``)."""
