"""`python3 vendor_setup COMMAND`: environments, tests, demo, package and downloads. Standard library only."""
