// TransportSecurity
