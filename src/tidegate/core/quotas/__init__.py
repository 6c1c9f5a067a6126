"""How many tokens somebody may use in a minute, an hour, a day and a month, and how many they have used."""
