// PostgresDriverTests
