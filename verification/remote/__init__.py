"""Scripts that run on the hosts: sent over SSH, standard library only, they read and change nothing."""
