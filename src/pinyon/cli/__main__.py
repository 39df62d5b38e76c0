from pinyon.cli import main

main()
