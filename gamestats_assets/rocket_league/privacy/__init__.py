"""What people allow, have a right to take along, and can have removed."""
