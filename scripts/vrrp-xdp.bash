# SPDX-License-Identifier: GPL-2.0-or-later
# Bash completion for vrrp-xdp; what it offers is what `vrrp-xdp help` lists (tests/net/test_service.py).

_vrrp_xdp_interfaces()
{
	local dir name
	for dir in /sys/class/net/*; do
		name=${dir##*/}
		[ "$name" = lo ] || printf '%s\n' "$name"
	done
}

# The words that may stand at the cursor after $1 command, with $2 before it.
_vrrp_xdp_words()
{
	local command=$1 previous=$2
	case $command,$previous in
	,*) echo attach run check reload restart drain undrain status stats detach version help ;;
	attach,--mode | run,--mode) echo auto native skb ;;
	attach,--version) echo 2 3 ;;
	attach,--checksum) echo auto rfc9568 rfc5798 ;;
	attach,--vrid | attach,--vip | attach,--vlan | attach,--priority | attach,--advert-int | attach,--auth-pass | attach,--src | \
		attach,--unicast-peer | attach,--allow-peer | attach,--max-advert-int | attach,--handover-skew | attach,--link-settle | \
		*,--rt-priority | *,-i) ;;
	attach,attach | detach,detach | restart,restart) _vrrp_xdp_interfaces ;;
	attach,*) echo --vrid --vip --vlan --priority --advert-int --version --no-preempt --no-accept --vmac --auth-pass --src --unicast-peer \
		--allow-peer --max-advert-int --handover-skew --link-settle --mode --checksum --rt-priority -v ;;
	run,*) echo -f --mode --rt-priority -i -v ;;
	check,*) echo -f -i --json ;;
	status,* | stats,*) echo --json ;;
	esac
}

_vrrp_xdp()
{
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=
	[ "$COMP_CWORD" -gt 1 ] && command=${COMP_WORDS[1]}
	COMPREPLY=()
	case $command,$previous in
	run,-f | check,-f)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		;;
	*) mapfile -t COMPREPLY < <(compgen -W "$(_vrrp_xdp_words "$command" "$previous")" -- "$current") ;;
	esac
}

complete -F _vrrp_xdp vrrp-xdp
