"""The PAC Solución Factible: its WSDL, its answers, its codes."""
