// TransportSecurityTests
