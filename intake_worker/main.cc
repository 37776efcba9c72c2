// dory-intake: moves messages from client sockets into the ring. Started by dory, never by hand.

#include "intake_worker/intake_worker.h"

int main() { return dory::intake::RunIntake(); }
