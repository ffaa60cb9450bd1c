// EdgeNodeTests
