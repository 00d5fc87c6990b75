#!/bin/sh
# The page is at the pod's own address, and nowhere else, as add-ons write it into their configuration at each start.
address=$(hostname -i) || exit 1
sed -i "s/ADDRESS/$address/" /nginx.conf
exec nginx -e stderr -c /nginx.conf
