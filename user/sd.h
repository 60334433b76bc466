/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a Type=notify service tells systemd: one datagram per message to the socket that $NOTIFY_SOCKET names. Written out
 * here and not taken from libsystemd: no code of others in the address space of a router for one datagram.
 */
#ifndef VX_SD_H
#define VX_SD_H

/*
 * Sends @text, lines such as "READY=1\nSTATUS=2 of 3 Active", "STOPPING=1". Never waits: what systemd does not take at once is
 * -EAGAIN and lost, so that a stuck systemd holds up no advert; READY=1 may be repeated in every later message.
 * Returns 0, also when nobody has asked ($NOTIFY_SOCKET is not set), or -errno.
 */
int sd_notify_state(const char *text);
/* "RELOADING=1" with the time that Type=notify-reload wants beside it; READY=1 is due at the end of the reload, whatever came of it. */
int sd_notify_reloading(void);

/* From now on messages go through @send, or, NULL, straight again: systemd listens to the main process only. */
void sd_relay(int (*send)(const char *text));

#endif
