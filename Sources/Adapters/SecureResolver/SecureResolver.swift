// SecureResolver
