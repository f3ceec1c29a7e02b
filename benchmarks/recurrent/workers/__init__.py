"""One program for each contestant: it waits for a case on standard input and answers with the seconds of its steps."""
