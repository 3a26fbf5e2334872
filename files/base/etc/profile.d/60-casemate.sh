# What a person makes at a shell is not for everyone.
umask 027
