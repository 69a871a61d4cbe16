"""The desk's database: tables, migrations, opening."""
