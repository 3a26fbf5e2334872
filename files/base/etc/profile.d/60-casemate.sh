# What a person makes at a shell is not for everyone.
umask 027
# A shell that was left open ends after a quarter of an hour. Not exported: `read` in a script would end then, too.
case $- in
    *i*) [ "${TMOUT-}" = 900 ] || readonly TMOUT=900 ;;
esac
