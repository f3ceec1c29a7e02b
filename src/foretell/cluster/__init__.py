"""Where trainings are carried out: one after the other here, in processes of this machine, or by Ray on many."""
