// PostgresDriver
