"""What goes out: callbacks to real receivers, mail to a real server, the journal's head; and what is erased."""
